/** `mailtree directory`: the group that the directory's own commands stand in. */

import type { Command } from 'commander';

/** The group, made by whoever asks first. */
export function directoryCommands(program: Command): Command {
  const known = program.commands.find((command) => command.name() === 'directory');
  return known ?? program.command('directory').description('the directory: its rights, its records, its history');
}
