/** What `sendmail` does with addresses and the queue beside handing in: -bv, -qR, -qS, -qI. */

import { Readable } from 'node:stream';
import type { Config, OrderReport } from '../main/index.ts';
import type { Explanation } from '../routing/index.ts';
import { askControl } from './control-client.ts';
import { say } from './program.ts';
import type { Chosen } from './sendmail-arguments.ts';

/** A line for each address, in sendmail's words; false where one of them can have no mail. */
export async function verify(config: Config, addresses: readonly string[]): Promise<boolean> {
  let good = true;
  for (const written of addresses) {
    const address = written.includes('@') ? written : `${written}@${config.domain}`;
    const { routes, refusals } = await askControl<Explanation>(config, { path: '/explain', query: { address } });
    for (const { queue, address: to } of routes) say(`${written}... deliverable: mailer ${queue}, user ${to}`);
    for (const { status, text } of refusals) say(`${written}... ${status} ${text}`);
    if (refusals.length > 0 || routes.length === 0) good = false;
  }
  return good;
}

/** Has what was chosen tried at once. */
export async function retryChosen(config: Config, { by, text }: Chosen): Promise<number> {
  const order = JSON.stringify({ operation: { do: 'retry' }, filter: { [by]: by === 'ids' ? text : `*${text}*` } });
  const body = Readable.from([Buffer.from(order)]);
  const { messages, recipients } = await askControl<OrderReport>(config, {
    ...{ method: 'POST', path: '/queue/operate', type: 'application/json', body },
  });
  say(
    `${messages} ${messages === 1 ? 'message' : 'messages'} with ${recipients} ${recipients === 1 ? 'recipient' : 'recipients'} tried again now`,
  );
  return 0;
}
