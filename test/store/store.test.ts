import { jest } from '@jest/globals';
import { storeContract } from '../contracts/store.ts';
import { openBench } from './support.ts';

// Thousands of commits; a busy machine takes its time.
jest.setTimeout(120_000);

storeContract(() => openBench());
