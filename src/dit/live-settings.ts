/**
 * The settings of one entry, live.
 *
 * Promise: a value that breaks its declaration gives way to the default, with a line in the log. Settings with a secret among them change
 * together: the change feed has no secrets, so the entry is read, and no password is ever used with another host's name.
 */

import { type Live, LiveValue, type Log } from '../base/index.ts';
import { type DirectoryReader, type Entry, system } from '../directory/index.ts';
import type { Dn } from '../ldap-wire/index.ts';
import { readSettings, type SettingsDeclaration, type SettingsOf, type SettingsShape } from '../settings/index.ts';
import type { SystemView } from './system-view.ts';

export interface LiveSettingsNeeds {
  readonly dn: Dn;
  readonly view: Pick<SystemView, 'entry' | 'onEntry'>;
  readonly directory: Pick<DirectoryReader, 'read'>;
  readonly log: Log;
  readonly closed: () => boolean;
}

export function liveSettings<S extends SettingsShape>(declaration: SettingsDeclaration<S>, needs: LiveSettingsNeeds): Live<SettingsOf<S>> {
  const { dn, view, directory, log, closed } = needs;
  const settingsOf = (entry: Entry | undefined): SettingsOf<S> => {
    const { value, problems } = readSettings(declaration, (attribute) => entry?.texts(attribute) ?? []);
    for (const problem of problems) log.warning(`${dn.toString()}: ${problem}; the default is used`);
    return value;
  };
  const complain = (thrown: unknown): void => log.error(`${declaration.entry}: a change could not be applied`, thrown);
  const live = new LiveValue(settingsOf(view.entry(dn)), complain);
  const apply = (entry: Entry | undefined): void => {
    const value = settingsOf(entry);
    if (JSON.stringify(value) !== JSON.stringify(live.value)) live.set(value);
  };
  if (!hasSecrets(declaration)) {
    view.onEntry(dn, () => apply(view.entry(dn)));
    return live;
  }
  let newest = 0;
  const readWhole = async (): Promise<void> => {
    newest += 1;
    const number = newest;
    try {
      const entry = await directory.read(system('dit'), dn, ['*']);
      if (number === newest && !closed()) apply(entry);
    } catch (thrown) {
      if (!closed()) complain(thrown);
    }
  };
  view.onEntry(dn, () => void readWhole());
  void readWhole();
  return live;
}

const hasSecrets = ({ settings }: SettingsDeclaration): boolean =>
  Object.values(settings).some((setting) => setting.type === 'text' && setting.secret === true);
