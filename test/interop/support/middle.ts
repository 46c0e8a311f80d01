/** Somebody in the middle of SMTP connections, who reads along and changes what passes. */

import type { Socket } from 'node:net';
import type { Host } from './network.ts';

export interface Meddling {
  /** What the client says, line by line while it is not encrypted; what is returned goes on instead. */
  readonly toServer?: (line: string, answer: (text: string) => void) => string;
  /** The same for the server. */
  readonly toClient?: (line: string) => string;
}

export interface Middle {
  meddling: Meddling;
  /** Everything that passed since the last `forget`, both ways, in Latin-1. */
  seen: string;
  forget(): void;
}

/** Listens on port 25 of the host and passes everything on to port 25 of another address. */
export async function startMiddle(host: Host, target: string): Promise<Middle> {
  const middle: Middle = {
    meddling: {},
    seen: '',
    forget() {
      middle.seen = '';
    },
  };
  await host.listen(25, (client) => {
    client.on('error', () => {});
    host.connect(target, 25).then(
      (server) => between(middle, client, server),
      () => client.destroy(),
    );
  });
  return middle;
}

function between(middle: Middle, client: Socket, server: Socket): void {
  let encrypted = false;
  let asked = false;
  const { meddling } = middle;
  const pass = (from: Socket, to: Socket, change: (line: string) => string): void => {
    let rest = '';
    from.on('data', (chunk: Buffer) => {
      middle.seen += chunk.toString('latin1');
      if (encrypted) {
        to.write(chunk);
        return;
      }
      rest += chunk.toString('latin1');
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
        const line = rest.slice(0, end + 1);
        rest = rest.slice(end + 1);
        const text = change(line);
        if (text !== '') to.write(Buffer.from(text, 'latin1'));
      }
    });
    from.on('close', () => to.destroySoon());
    to.on('error', () => {});
  };
  pass(client, server, (line) => {
    const text = meddling.toServer?.(line, (answer) => void client.write(answer)) ?? line;
    if (/^STARTTLS/im.test(text)) asked = true;
    return text;
  });
  pass(server, client, (line) => {
    if (asked && line.startsWith('220')) encrypted = true;
    asked = false;
    return meddling.toClient?.(line) ?? line;
  });
}
