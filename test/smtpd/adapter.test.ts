/** What the adapter needs of smtp-server's inside. Fails when another version of the library has it no more. */

import { expect, test } from '@jest/globals';
import { SMTPServer } from 'smtp-server';
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js';
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js';

test('the connection of smtp-server has the steps that the adapter replaces or calls', () => {
  const steps = ['init', 'connectionReady', 'send', 'close', 'upgrade', 'handler_STARTTLS', 'handler_AUTH'];
  const inner = [
    '_sendGreeting',
    '_createParser',
    '_getHandler',
    '_getEnhancedStatusCode',
    '_onCommand',
    '_redactCredentials',
    '_onClose',
    '_armTimeout',
    '_onTimeout',
    '_setListeners',
  ];
  const prototype = SMTPConnection.prototype as unknown as Record<string, unknown>;
  expect([...steps, ...inner].filter((name) => typeof prototype[name] !== 'function')).toEqual([]);
});

test('the reader of smtp-server goes into data mode by a flag, feeds data to one method and ends by another', () => {
  const reader = new SMTPStream();
  const fed: string[] = [];
  reader._feedDataStream = (chunk, done) => {
    fed.push(chunk.toString());
    done();
  };
  reader.oncommand = (line, next) => {
    if (line.toString() === 'DATA') reader._dataMode = true;
    next?.();
  };
  reader.write('NOOP\r\nDATA\r\nbytes behind');
  reader.write(' and more');
  expect(fed).toEqual(['bytes behind', ' and more']);
  expect(typeof reader._flushData).toBe('function');
  expect([reader._remainder, reader.isClosed]).toEqual(['', false]);
});

test('the server of smtp-server works without listening and keeps its certificate where we put it', () => {
  const server = new SMTPServer({ logger: false, disableReverseLookup: true });
  expect(server.secureContext.has('*')).toBe(true);
  expect(server.connections).toBeInstanceOf(Set);
  expect(server.server.listening).toBe(false);
});
