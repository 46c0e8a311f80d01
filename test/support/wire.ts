/**
 * A plain socket that says bytes and waits for answers: for tests that must know exactly what was said and what was answered.
 *
 * Every wait ends: with the answer, or rejecting when the connection is gone.
 */

import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export class Wire {
  readonly socket: Socket;
  #text: Buffer = Buffer.alloc(0);
  #chunks: Buffer[] = [];
  #gone = false;
  #notify: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#notify?.();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#gone = true;
      this.#notify?.();
    });
  }

  /** `from`: an address of loopback (127.…) to come from. */
  static open(port: number, options: { readonly tls?: boolean; readonly from?: string } = {}): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const place = { host: '127.0.0.1', port, ...(options.from === undefined ? {} : { localAddress: options.from }) };
      const socket = options.tls ? connectTls({ ...place, rejectUnauthorized: false }) : connect({ ...place, noDelay: true });
      socket.once('error', reject);
      socket.once(options.tls ? 'secureConnect' : 'connect', () => {
        socket.off('error', reject);
        resolve(new Wire(socket));
      });
    });
  }

  get gone(): boolean {
    return this.#gone;
  }

  say(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** Everything up to the end of the first match (of Latin-1 text), taken away. `window`: only this many octets at the end are looked at. */
  async until(pattern: RegExp, window = Number.POSITIVE_INFINITY): Promise<string> {
    for (;;) {
      if (this.#chunks.length > 0) {
        this.#text = Buffer.concat([this.#text, ...this.#chunks]);
        this.#chunks = [];
      }
      const from = Math.max(0, this.#text.length - window);
      const match = pattern.exec(this.#text.toString('latin1', from));
      if (match) {
        const end = from + match.index + match[0].length;
        const found = this.#text.toString('latin1', 0, end);
        this.#text = this.#text.subarray(end);
        return found;
      }
      if (this.#gone) throw new Error(`the connection is gone after ${JSON.stringify(this.#text.toString('latin1').slice(-200))}`);
      await new Promise<void>((resolve) => {
        this.#notify = resolve;
      });
    }
  }

  /** The last line of an SMTP reply. */
  async reply(): Promise<string> {
    const text = await this.until(/^\d{3}(?: [^\r\n]*)?\r\n/m);
    return text.slice(text.lastIndexOf('\n', text.length - 2) + 1).trimEnd();
  }

  async smtp(command: string | Uint8Array): Promise<string> {
    this.say(command);
    return this.reply();
  }

  /** One tagged IMAP command; everything that came until its tagged line, which is the last one. */
  async imap(tag: string, command: string): Promise<string> {
    this.say(`${tag} ${command}\r\n`);
    return this.until(new RegExp(`^${tag} [^\\r\\n]*\\r\\n`, 'm'), 4096);
  }

  end(): void {
    this.socket.destroy();
  }
}
