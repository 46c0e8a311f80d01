/**
 * What the web door answers: a page that tells how to set up a mail client; whether the server is well is monitor.ts's business, the
 * queue for administrators queue.ts's.
 *
 * Promise: it shows strangers nothing that a mail client does not see; every answer carries the headers that keep a browser
 * from running anything.
 * Spec: RFC 9110
 */

import { readFileSync } from 'node:fs';
import { Hono } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import { addMonitor, type Monitor } from './monitor.ts';
import { addQueue, type QueueDoor } from './queue.ts';

export interface Service {
  /** `IMAP`, `Submission` … */
  readonly name: string;
  readonly address: string;
  readonly security: string;
}

export interface WebOptions {
  readonly host: () => string;
  readonly domain: () => string;
  readonly services: () => readonly Service[];
  readonly monitor: Monitor;
  readonly queue?: QueueDoor;
}

const ui = new URL('../../admin-ui/', import.meta.url);
const fromUi = (name: string): string => readFileSync(new URL(name, ui), 'utf8');

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => entities[c] ?? c);

export function createApp(options: WebOptions): Hono {
  const page = fromUi('welcome.html');
  const style = fromUi('style.css');
  const app = new Hono();
  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        styleSrc: ["'self'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
      },
    }),
  );
  app.get('/', (c) => {
    const rows = options
      .services()
      .map((s) => `<tr>${[s.name, s.address, s.security].map((text) => `<td>${escapeHtml(text)}</td>`).join('')}</tr>`);
    const values: Readonly<Record<string, string>> = {
      host: escapeHtml(options.host()),
      domain: escapeHtml(options.domain()),
      rows: rows.join('\n'),
    };
    return c.html(page.replace(/\{\{(\w+)\}\}/g, (_, name: string) => values[name] ?? ''));
  });
  app.get('/style.css', (c) => c.body(style, 200, { 'Content-Type': 'text/css; charset=utf-8', 'Cache-Control': 'max-age=3600' }));
  addMonitor(app, options.monitor);
  if (options.queue) addQueue(app, options.queue);
  app.notFound((c) => c.text('not found\n', 404));
  return app;
}
