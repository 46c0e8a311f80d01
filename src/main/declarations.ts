/** Everything the rooms declare, in one place: what schema, default LDIF and reference page are made from. */

import { accessClass, directorySettings } from '../directory/index.ts';
import { ditClasses, mtaSettings, peerSettings, serverSettings } from '../dit/index.ts';
import { imapdSettings } from '../imapd/index.ts';
import { ldapdSettings } from '../ldapd/index.ts';
import { lmdaSettings } from '../lmda/index.ts';
import { mailAuthSettings } from '../mail-auth/index.ts';
import { pop3dSettings } from '../pop3d/index.ts';
import { moduleDeclarations, preprocessorSettings } from '../preprocessor/index.ts';
import { components } from '../responder/index.ts';
import type { Declared, SettingsDeclaration } from '../settings/index.ts';
import { smtpcSettings } from '../smtpc/index.ts';
import { smtpdSettings } from '../smtpd/index.ts';
import { storeSettings } from '../store/index.ts';
import { monitorClasses } from './monitor/classes.ts';

export const declared: Declared = {
  classes: [...ditClasses, accessClass, ...monitorClasses],
  settings: [
    serverSettings,
    directorySettings,
    ldapdSettings,
    mtaSettings,
    peerSettings,
    preprocessorSettings,
    ...moduleDeclarations,
    smtpdSettings,
    mailAuthSettings,
    smtpcSettings,
    lmdaSettings,
    storeSettings,
    imapdSettings,
    pop3dSettings,
    ...Object.values(components),
  ] as readonly SettingsDeclaration[],
};
