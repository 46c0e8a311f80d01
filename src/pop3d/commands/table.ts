/** All commands. */

import type { Command } from '../command.ts';
import { auth } from './auth.ts';
import { capa } from './capa.ts';
import { dele, rset } from './dele.ts';
import { list, uidl } from './list.ts';
import { noop } from './noop.ts';
import { pass } from './pass.ts';
import { quit } from './quit.ts';
import { retr, top } from './retr.ts';
import { stat } from './stat.ts';
import { stls } from './stls.ts';
import { user } from './user.ts';
import { utf8 } from './utf8.ts';

export const commands: readonly Command[] = [auth, capa, dele, list, noop, pass, quit, retr, rset, stat, stls, top, uidl, user, utf8];

const byName = new Map(commands.map((command) => [command.name, command]));

export function findCommand(name: string): Command | undefined {
  return byName.get(name);
}
