/**
 * Preloaded into a server (`node --import`): kills the process before or after the n-th write to the mail database since a message with a certain text
 * in its record was submitted, so that a test can enumerate every state the queue can be in.
 *
 * KILL_MARK: the text; KILL_AT: `3 before`, `3 after`, or nothing to kill never; KILL_LOG: a file that gets a line a write, naming the kinds of keys in it.
 */

import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(`${process.cwd()}/`);
const { ChainedBatch } = require(join(dirname(require.resolve('classic-level')), 'chained-batch.js'));
const { _put: put, _del: del, _write: write } = ChainedBatch.prototype;
const mark = process.env['KILL_MARK'] ?? '';
const [at, when] = (process.env['KILL_AT'] ?? '').split(' ');
let count = 0;

/** `+queue/m`, `-queue/d`: what a write does, without ids. */
const kind = (sign, key) => `${sign}${String(key).split('/').slice(0, 2).join('/')}`;

function noted(batch, text) {
  batch.kinds ??= new Set();
  batch.kinds.add(text);
}

ChainedBatch.prototype._put = function (key, value) {
  noted(this, kind('+', key));
  if (count === 0 && String(key).startsWith('queue/m/') && Buffer.from(value).includes(mark)) this.marked = true;
  return put.call(this, key, value);
};

ChainedBatch.prototype._del = function (key) {
  noted(this, kind('-', key));
  return del.call(this, key);
};

ChainedBatch.prototype._write = async function (options) {
  if (!this.db.location.endsWith('/mail') || !(this.marked || count > 0)) return write.call(this, options);
  count += 1;
  if (process.env['KILL_LOG']) appendFileSync(process.env['KILL_LOG'], `${[...(this.kinds ?? [])].sort().join(' ')}\n`);
  const here = count === Number(at);
  if (here && when === 'before') process.kill(process.pid, 'SIGKILL');
  const result = await write.call(this, options);
  if (here && when === 'after') process.kill(process.pid, 'SIGKILL');
  return result;
};
