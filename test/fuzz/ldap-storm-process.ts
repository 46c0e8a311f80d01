/** The attackers of a siege as a process: the job is the argument, what is done is told to the parent. */

import { randomFrom } from '../support/load.ts';
import { type StormJob, storm } from './ldap-storm.ts';

// Every second request is refused by the decoder here, too: nobody reads where that was.
Error.stackTraceLimit = 0;
const job = JSON.parse(process.argv[2] ?? '') as StormJob;
const count = await storm(job, randomFrom(job.seed), (so) => process.send?.(so));
process.send?.(count, () => process.disconnect());
