/**
 * Preloaded into a server under attack: tells on standard error when one turn of the event loop took long, in processor time of its
 * thread, so that a busy machine is not taken for a busy server.
 */

import { readFileSync } from 'node:fs';

const limitMs = Number(process.env.LOOP_LIMIT_MS ?? 200);
/** The kernel counts in hundredths of a second. */
const cpuMs = () => {
  const fields = readFileSync(`/proc/${process.pid}/task/${process.pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
};
let used = cpuMs();
setInterval(() => {
  const now = cpuMs();
  if (now - used > limitMs) process.stderr.write(`one turn of the loop took ${now - used} ms\n`);
  used = now;
}, 20).unref();
