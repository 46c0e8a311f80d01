/**
 * The queue by HTTP and JSON, below whatever path it is mounted at: for the command line on the control socket, and for administrators
 * from other hosts on the web door, whose guard it is behind.
 *
 *   GET  summary · destinations?queue= · domain?name= · senders?<filter> · messages?<filter>&order=&limit=&after= · stream?<filter> · messages/ID · messages/ID/header · aside
 *   POST operate {operation, filter, dryRun, count, everything} · aside/ID/SLIP/retry|delete
 *
 * Promise: a refusal has the fault's HTTP status and its text; a list is sent as it is read.
 */

import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { Fault, replies } from '../../base/index.ts';
import { jsonLines } from '../directory-jobs.ts';
import { readFilter, readOrder, readQuery, readSearch } from './ask.ts';
import type { QueueDesk } from './desk.ts';
import type { MessageView } from './view.ts';

const mostBody = 1_048_576;

/** `by`: on whose behalf a request is, for the log. */
export function queueRoutes(desk: QueueDesk, by: (c: Context) => string): Hono {
  const app = new Hono();
  app.get('/summary', async (c) => c.json(await desk.summary()));
  app.get('/destinations', async (c) => c.json(await desk.destinations(c.req.query('queue') ?? 'SMTPC')));
  app.get('/domain', async (c) => c.json(await desk.channel(c.req.query('name') ?? '')));
  app.get('/senders', async (c) => c.json(await desk.senders(readFilter(readQuery(c.req.queries())))));
  app.get('/messages', async (c) => {
    const { filter, options } = readSearch(readQuery(c.req.queries()));
    return c.json(await desk.page(filter, options));
  });
  app.get('/stream', (c) => {
    const filter = readFilter(readQuery(c.req.queries()));
    return c.body(
      jsonLines<MessageView>(async ({ tell, ready }) => {
        for await (const view of desk.all(filter)) {
          await ready();
          tell(view);
        }
      }),
    );
  });
  app.get('/messages/:id', async (c) => c.json(await desk.message(c.req.param('id').toLowerCase())));
  app.get('/messages/:id/header', async (c) =>
    c.body(Buffer.from(await desk.header(c.req.param('id').toLowerCase())), 200, {
      'Content-Type': 'text/plain; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
    }),
  );
  const small = bodyLimit({
    maxSize: mostBody,
    onError: (c) => c.json({ error: `more than ${mostBody} octets` }, replies['too-large'].http as 413),
  });
  app.post('/operate', small, async (c) => c.json(await desk.carryOut(readOrder(await jsonOf(c)), by(c))));
  app.get('/aside', async (c) => {
    const entries = [];
    for await (const entry of desk.control.aside()) {
      if (entries.length >= mostAside) break;
      entries.push(entry);
    }
    return c.json(entries);
  });
  app.post('/aside/:id/:slip/:order{retry|delete}', async (c) => {
    const { id, slip, order } = c.req.param();
    const done = await desk.control[order === 'retry' ? 'retryAside' : 'deleteAside'](id, slip, by(c));
    if (!done) throw new Fault('not-found', `${id.slice(0, 60)} ${slip.slice(0, 60)} does not lie aside`);
    return c.json({});
  });
  return app;
}

const mostAside = 1_000;

async function jsonOf(c: Context): Promise<unknown> {
  if (!/^application\/json\b/i.test(c.req.header('content-type') ?? '')) throw new Fault('malformed', 'the body is to be application/json');
  try {
    return await c.req.json();
  } catch (cause) {
    throw new Fault('malformed', 'the body is not JSON', { cause });
  }
}
