/** Settings of the POP3 server: who may connect, for how long, and how much. */

import { choice, declareSettings, integer, type SettingsOf } from '../settings/index.ts';

export const pop3dSettings = declareSettings({
  objectClass: 'mtPop3d',
  entry: 'cn=pop3d',
  title: 'POP3D',
  help: 'Gives mail programs their inbox by POP3 (RFC 1939).',
  settings: {
    maxSessions: integer({
      attribute: 'mtPop3MaxSessions',
      label: 'Maximum sessions',
      default: 5_000,
      min: 1,
      max: 1_000_000,
      unit: 'sessions',
      help: 'Connections open at the same time, for each listening port. Where all are taken, the one that has been there longest without logging in makes room; where there is none, further ones are told to come back later.',
    }),
    maxSessionsPerAddress: integer({
      attribute: 'mtPop3MaxSessionsPerAddress',
      label: 'Maximum sessions per address',
      default: 100,
      min: 1,
      max: 1_000_000,
      unit: 'sessions',
      help: 'Connections open at the same time from one network address (IPv6: one /64 network). Many users may share one address.',
    }),
    plaintextLogin: choice({
      attribute: 'mtPop3PlaintextLogin',
      label: 'Log-in without encryption',
      choices: ['never', 'loopback', 'always'] as const,
      default: 'loopback',
      help: 'Whether a password is taken over a connection without TLS: never, only from this host, or always.',
      spec: 'RFC 2595 §2.3; RFC 8314 §3',
    }),
    idleMinutes: integer({
      attribute: 'mtPop3IdleMinutes',
      label: 'Idle time-out',
      default: 10,
      min: 10,
      max: 1_440,
      unit: 'minutes',
      help: 'A logged-in session that sends or takes nothing for this long is ended without removing anything. RFC 1939 demands at least 10 minutes.',
      spec: 'RFC 1939 §3',
    }),
    loginSeconds: integer({
      attribute: 'mtPop3LoginSeconds',
      label: 'Time to log in',
      default: 120,
      min: 10,
      max: 1_800,
      unit: 'seconds',
      help: 'A connection that has not logged in this long after it came is ended, whatever it says meanwhile.',
    }),
    maxLoginAttempts: integer({
      attribute: 'mtPop3MaxLoginAttempts',
      label: 'Log-in attempts',
      default: 3,
      min: 1,
      max: 100,
      unit: 'attempts',
      help: 'A connection is ended after this many failed log-ins.',
    }),
    maxErrors: integer({
      attribute: 'mtPop3MaxErrors',
      label: 'Errors before disconnecting',
      default: 20,
      min: 1,
      max: 10_000,
      unit: 'errors',
      help: 'A connection is ended after this many commands that make no sense.',
    }),
  },
});

export type Pop3dSettings = SettingsOf<(typeof pop3dSettings)['settings']>;
