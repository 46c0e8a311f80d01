/** Another mail server for tests: takes mail, or behaves as badly as it is told to. */

import { createServer, type Socket } from 'node:net';
import { type SecureContextOptions, TLSSocket } from 'node:tls';

export interface SinkMessage {
  readonly from: string;
  readonly to: readonly string[];
  /** The arguments of MAIL and RCPT as they came. */
  readonly lines: readonly string[];
  /** As received, dots taken out. */
  readonly data: string;
  readonly encrypted: boolean;
  /** SHA-256 fingerprint of the client's certificate. */
  readonly certificate?: string | undefined;
}

export interface SinkScript {
  /** Keywords of EHLO; undefined refuses EHLO with 502. */
  extensions?: readonly string[] | undefined;
  tls?: SecureContextOptions | undefined;
  /** The reply to a command (`connect` for the greeting, `.` for the end of the data); undefined for the usual one, `drop` hangs up, `mute` says nothing any more, `hold` (to a command) nothing until `release`. */
  reply?: (verb: string, line: string, connection: number) => string | undefined;
  /** Reads nothing any more once it has asked for the data. */
  deaf?: boolean;
  /** Said as soon as so many octets of a message have come. */
  midway?: { readonly octets: number; readonly reply: string };
}

export interface Sink {
  readonly port: number;
  script: SinkScript;
  readonly messages: SinkMessage[];
  /** Every command line, all connections. */
  readonly heard: string[];
  /** The address each connection came from. */
  readonly clients: (string | undefined)[];
  connections: number;
  /** Connections that are open, and the most that ever were. */
  open: number;
  peak: number;
  /** What is held gets the usual reply. */
  release(): void;
  /** Sessions whose command is held. */
  readonly holding: (() => void)[];
  /** Says this, as it is, over every connection that is open, whether it was asked or not. */
  speak(text: string): void;
  hangUp(): void;
  stop(): Promise<void>;
}

/** On a free port of loopback, unless said otherwise. */
export async function startSink(script: SinkScript = {}, at: { readonly host?: string; readonly port?: number } = {}): Promise<Sink> {
  const server = createServer({ noDelay: true });
  const open = new Map<Socket, SinkSession>();
  await new Promise<void>((resolve) => server.listen(at.port ?? 0, at.host ?? '127.0.0.1', resolve));
  const address = server.address();
  const sink: Sink = {
    port: typeof address === 'object' && address ? address.port : 0,
    script: { extensions: ['PIPELINING', 'SIZE 1000000', '8BITMIME', 'SMTPUTF8', 'DSN'], ...script },
    messages: [],
    heard: [],
    clients: [],
    connections: 0,
    open: 0,
    peak: 0,
    release: () => {
      for (const go of sink.holding.splice(0)) go();
    },
    holding: [],
    speak: (text) => {
      for (const session of open.values()) session.speak(text);
    },
    hangUp: () => {
      for (const socket of open.keys()) socket.end();
    },
    stop: async () => {
      for (const socket of open.keys()) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  server.on('connection', (socket) => {
    socket.on('close', () => {
      open.delete(socket);
      sink.open -= 1;
    });
    sink.connections += 1;
    sink.open += 1;
    sink.peak = Math.max(sink.peak, sink.open);
    sink.clients.push(socket.remoteAddress);
    const session = new SinkSession(sink, socket, sink.connections);
    open.set(socket, session);
    session.begin();
  });
  return sink;
}

class SinkSession {
  readonly #sink: Sink;
  readonly #number: number;
  #socket: Socket;
  #buffer = '';
  #from = '';
  #to: string[] = [];
  #lines: string[] = [];
  #inData = false;
  #interrupted = false;
  #transaction = false;
  #held = false;
  #silent = false;

  constructor(sink: Sink, socket: Socket, number: number) {
    this.#sink = sink;
    this.#socket = socket;
    this.#number = number;
  }

  begin(): void {
    this.#listen();
    this.#answer('connect', '', '220 sink.example ESMTP');
  }

  speak(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  #listen(): void {
    this.#socket.on('error', () => {});
    this.#socket.on('data', (chunk) => {
      this.#buffer += chunk.toString('latin1');
      this.#read();
    });
  }

  #read(): void {
    while (!this.#held) {
      const mark = this.#inData ? '\r\n.\r\n' : '\r\n';
      // Data may be nothing but its end.
      const text = this.#inData ? `\r\n${this.#buffer}` : this.#buffer;
      const end = text.indexOf(mark);
      const { midway } = this.#sink.script;
      if (this.#inData && midway && !this.#interrupted && text.length > midway.octets) {
        this.#interrupted = true;
        this.#socket.write(`${midway.reply}\r\n`, 'latin1');
      }
      if (end < 0) return;
      this.#buffer = text.slice(end + mark.length);
      if (this.#inData) this.#data(text.slice(2, end + 2));
      else this.#command(text.slice(0, end));
    }
  }

  #data(raw: string): void {
    this.#inData = false;
    const data = raw.replace(/(^|\r\n)\./g, '$1');
    const message = {
      from: this.#from,
      to: this.#to,
      lines: this.#lines,
      data,
      encrypted: this.#socket instanceof TLSSocket,
      ...this.#shown(),
    };
    const said = this.#answer('.', '', '250 2.0.0 taken');
    if (said.startsWith('2')) this.#sink.messages.push(message);
    [this.#from, this.#to, this.#lines] = ['', [], []];
    this.#transaction = false;
  }

  #shown(): { certificate?: string } {
    const shown = this.#socket instanceof TLSSocket ? this.#socket.getPeerCertificate() : undefined;
    return shown?.fingerprint256 ? { certificate: shown.fingerprint256 } : {};
  }

  #command(line: string, released = false): void {
    if (!released) this.#sink.heard.push(line);
    const verb = line.split(/[ :]/, 1)[0]?.toUpperCase() ?? '';
    const path = /<(.*?)>/.exec(line)?.[1] ?? '';
    const { extensions, tls } = this.#sink.script;
    const offered = [...(extensions ?? []), ...(tls && !(this.#socket instanceof TLSSocket) ? ['STARTTLS'] : [])];
    const keywords = ['sink.example', ...offered].map((one, n, every) => `250${n === every.length - 1 ? ' ' : '-'}${one}`).join('\r\n');
    const usual: Record<string, string> = {
      EHLO: extensions ? keywords : '502 5.5.1 what?',
      HELO: '250 sink.example',
      ...(this.#transaction ? { MAIL: '503 5.5.1 nested' } : {}),
      DATA: this.#to.length > 0 ? '354 go on' : '503 5.5.1 nobody',
      STARTTLS: '220 go on',
      QUIT: '221 bye',
    };
    const said = this.#answer(verb, line, usual[verb] ?? '250 2.0.0 ok', released);
    if (said === 'hold') {
      this.#held = true;
      this.#sink.holding.push(() => {
        this.#held = false;
        this.#command(line, true);
        this.#read();
      });
      return;
    }
    if (verb === 'MAIL' && said.startsWith('2')) this.#transaction = true;
    if (verb === 'RSET') this.#transaction = false;
    if (verb === 'MAIL') [this.#from, this.#to, this.#lines] = [path, [], [line]];
    if (verb === 'RCPT' && said.startsWith('2')) this.#to.push(path);
    if (verb === 'RCPT') this.#lines.push(line);
    if (verb === 'DATA' && said.startsWith('3')) this.#inData = true;
    if (this.#inData && this.#sink.script.deaf) this.#socket.pause();
    if (verb === 'QUIT' && said !== 'mute') this.#socket.end();
    if (verb === 'STARTTLS' && said.startsWith('2')) this.#encrypt();
  }

  #encrypt(): void {
    this.#socket.removeAllListeners('data');
    this.#buffer = '';
    this.#socket = new TLSSocket(this.#socket, { isServer: true, ...this.#sink.script.tls });
    this.#listen();
  }

  #answer(verb: string, line: string, usual: string, asUsual = false): string {
    const said = (asUsual ? undefined : this.#sink.script.reply?.(verb, line, this.#number)) ?? usual;
    if (said === 'drop') this.#socket.destroy();
    else if (said === 'mute') this.#silent = true;
    else if (said !== 'hold' && !this.#silent) this.#socket.write(`${said}\r\n`, 'latin1');
    return said;
  }
}
