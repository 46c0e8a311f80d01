import { queueAsideContract } from '../contracts/queue-aside.ts';
import { queueControlContract } from '../contracts/queue-control.ts';
import { queueInHandContract } from '../contracts/queue-in-hand.ts';
import { queueSearchContract } from '../contracts/queue-search.ts';
import { testQueue } from '../support/queue.ts';

queueControlContract(testQueue);
queueSearchContract(testQueue);
queueInHandContract(testQueue);
queueAsideContract(testQueue);
