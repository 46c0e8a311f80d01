import { storeContract } from '../contracts/store.ts';
import { openBench } from './support.ts';

storeContract(() => openBench());
