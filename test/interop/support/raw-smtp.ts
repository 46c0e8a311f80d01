/** An SMTP sender that puts exact octets on the wire: nothing is mended, only dots at the starts of lines are doubled. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export class RawSmtp {
  readonly #socket: Socket;
  #text = '';
  #wake: () => void = () => {};
  #gone: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1').on('data', (chunk) => {
      this.#text += chunk;
      this.#wake();
    });
    const gone = (why: string): void => {
      this.#gone ??= new Error(why);
      this.#wake();
    };
    socket.on('error', (thrown) => gone(thrown.message));
    socket.on('close', () => gone('the server closed the connection'));
  }

  static async open(port: number): Promise<RawSmtp> {
    const socket = connect({ host: '127.0.0.1', port });
    await once(socket, 'connect');
    return RawSmtp.over(socket);
  }

  /** On a connection that somebody made. */
  static async over(socket: Socket): Promise<RawSmtp> {
    const session = new RawSmtp(socket);
    await session.reply();
    await session.say('EHLO client.elsewhere.test\r\n');
    return session;
  }

  async logIn(user: string, password: string): Promise<void> {
    const said = await this.say(`AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}\r\n`);
    if (!said.startsWith('235')) throw new Error(`login refused: ${said}`);
  }

  /** The next reply, all its lines. */
  async reply(): Promise<string> {
    for (;;) {
      const found = /^(?:\d{3}-[^\n]*\n)*\d{3} [^\n]*\n/.exec(this.#text);
      if (found) {
        this.#text = this.#text.slice(found[0].length);
        return found[0];
      }
      if (this.#gone) throw this.#gone;
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }

  async say(octets: string | Buffer): Promise<string> {
    this.#socket.write(octets);
    return this.reply();
  }

  /**
   * Sends one message; answers with the reply to the whole of it. `content` is sent as it is but for its dots; parameters of RCPT go with
   * the last recipient.
   */
  async send(
    from: string,
    to: string | readonly string[],
    content: Buffer,
    parameters: { readonly mail?: string; readonly rcpt?: string } = {},
  ): Promise<string> {
    const [mail, rcpt] = [parameters.mail, parameters.rcpt].map((one) => (one === undefined ? '' : ` ${one}`));
    const recipients = typeof to === 'string' ? [to] : to;
    this.#socket.write(`MAIL FROM:<${from}>${mail}\r\nRCPT TO:<${recipients.join('>\r\nRCPT TO:<')}>${rcpt}\r\nDATA\r\n`);
    for (const expected of ['250', ...recipients.map(() => '250'), '354']) {
      const got = await this.reply();
      if (!got.startsWith(expected)) throw new Error(`for ${from} the server says ${got}`);
    }
    const text = content.toString('latin1').replace(/(^|\r\n)\./g, '$1..');
    return this.say(Buffer.from(`${text}${text.endsWith('\r\n') ? '' : '\r\n'}.\r\n`, 'latin1'));
  }

  close(): void {
    this.#socket.destroy();
  }

  async quit(): Promise<void> {
    await this.say('QUIT\r\n');
    this.#socket.end();
  }
}
