import { queueContract } from '../contracts/queue.ts';
import { testQueue } from '../support/queue.ts';

queueContract(testQueue);
