/** Sessions of swaks, and what they were answered. */

import type { Host } from './network.ts';

export interface Session {
  readonly server: string;
  /** The address it comes from; its host's first one where it lacks. */
  readonly from?: string;
  readonly helo?: string;
  readonly sender?: string;
  readonly recipient: string;
  /** Nothing is sent after this; the whole message where it lacks. */
  readonly until?: 'HELO' | 'MAIL' | 'RCPT' | 'end';
  readonly more?: readonly string[];
}

/** The refusal that ended it, or the last reply before QUIT, without its line end. */
export async function swaks(host: Host, session: Session): Promise<string> {
  const { server, from, helo = 'client.elsewhere.test', sender = 'somebody@elsewhere.test', recipient, until, more = [] } = session;
  const ran = await host.tool('swaks', [
    ...['--server', server, server.includes(':') ? '-6' : '-4', '--helo', helo, '--from', sender, '--to', recipient],
    ...(from === undefined ? [] : ['--local-interface', from]),
    ...(until === undefined || until === 'end' ? [] : ['--quit-after', until]),
    ...['--timeout', '60', ...more],
  ]);
  const replies = [...ran.all.matchAll(/^<(~|-|\*\*|~\*) +(\d{3} .*?)\r?$/gm)];
  const refused = replies.find(([, sign]) => sign?.endsWith('*'));
  const last = replies.filter(([, , reply]) => !reply?.startsWith('221')).at(-1);
  const answer = (refused ?? last)?.[2];
  if (answer === undefined) throw new Error(`swaks had no answer: ${ran.all}`);
  return answer;
}

/** One that must be taken. */
export async function delivers(host: Host, session: Session): Promise<void> {
  const answer = await swaks(host, session);
  if (!answer.startsWith('250 ')) throw new Error(`refused: ${answer}`);
}
