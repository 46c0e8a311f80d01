/**
 * The reader of smtp-server with our way through DATA and BDAT: command lines are the library's business, message octets ours.
 *
 * Promise: what follows a message in the same piece is read as commands again, octet by octet where it belongs.
 */

import { SMTPStream } from 'smtp-server/lib/smtp-stream.js';
import { DataReader, type DataStep } from './data-reader.ts';
import type { Receiver } from './session.ts';

type Done = (error?: Error | null) => void;

export class Reader extends SMTPStream {
  receiver: Receiver | undefined;
  onMessage: (done: () => void) => void = () => {};
  /** Octets of a message that came in. */
  onOctets: (count: number) => void = () => {};
  #data = new DataReader();
  /** Octets of a chunk that are still to come; undefined: the data ends with a dot. */
  #left: number | undefined;

  /** What follows goes to the receiver: as many octets, or up to the final dot. */
  begin(receiver: Receiver, octets?: number): void {
    this.receiver = receiver;
    this.#data = new DataReader();
    this.#left = octets;
    this._dataMode = true;
  }

  #cut(bytes: Buffer): DataStep {
    if (this.#left === undefined) return this.#data.feed(bytes);
    const taken = bytes.subarray(0, this.#left);
    this.#left -= taken.length;
    return { content: [taken], ...(this.#left === 0 ? { rest: bytes.subarray(taken.length) } : {}) };
  }

  override _write(chunk: Buffer, encoding: BufferEncoding | 'buffer', next: Done): void {
    if (this._dataMode) this.onOctets(chunk.length);
    super._write(chunk, encoding, next);
  }

  override _feedDataStream(chunk: Buffer, done: Done): void {
    const { receiver } = this;
    if (!receiver || this.isClosed) {
      done();
      return;
    }
    const { content, rest } = this.#cut(chunk);
    const finish = (): void => {
      if (this.isClosed || (!rest && !receiver.hopeless)) {
        done();
        return;
      }
      this._dataMode = false;
      this._remainder = '';
      this.receiver = undefined;
      this.onMessage(() => {
        if (rest && rest.length > 0 && !this.isClosed) this._write(rest, 'buffer', done);
        else done();
      });
    };
    const pour = (from: number): void => {
      for (let i = from; i < content.length && !this.isClosed; i += 1) {
        const wait = receiver.write(content[i] as Buffer);
        if (wait) {
          void wait.then(() => pour(i + 1));
          return;
        }
      }
      finish();
    };
    pour(0);
  }

  /** A last line without its end was never sent in full: not a command. */
  override _flushData(): void {}
}
