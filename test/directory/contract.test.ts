import { directoryContract } from '../contracts/directory.ts';
import { openTemporary } from './support.ts';

directoryContract('the bundled directory', () => openTemporary());
