/** A server whose clock the test turns on: what takes it minutes or hours is over at once, in the order in which it would have come. */

import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { type RunningServer, runServer, type ServerFiles } from './server.ts';

export interface TurnedServer extends RunningServer {
  /** Lets so much time pass; what the time it is then sets going may still be under way. The time in the end, in milliseconds since 1970. */
  turn(by: { readonly hours?: number; readonly minutes?: number; readonly seconds?: number }): Promise<number>;
}

export async function runTurnedServer(files: Pick<ServerFiles, 'config' | 'dir'>): Promise<TurnedServer> {
  const path = join(files.dir, 'turned-clock');
  const server = await runServer(files, { node: ['--import', resolve('test/support/turned-clock.mjs')], env: { TURNED_CLOCK: path } });
  return {
    ...server,
    turn: ({ hours = 0, minutes = 0, seconds = 0 }) =>
      new Promise((done, fail) => {
        let said = '';
        const socket = connect({ path });
        socket.setEncoding('utf8').on('data', (text) => {
          said += text;
        });
        socket.once('error', fail).once('end', () => done(Number(said)));
        socket.write(String(((hours * 60 + minutes) * 60 + seconds) * 1_000));
      }),
  };
}
