/** The channels of the manual (chapter 2, "Input Channels", "Output Channels"): the ways a message comes in and goes out. */

export const inputChannels = ['LOCALOUT', 'SMTPD', 'BSMTPIN', 'DL', 'WEBMAIL', 'CCOUT', 'NOTESOUT'] as const;
export type InputChannel = (typeof inputChannels)[number];

export const outputChannels = ['LOCAL', 'SMTPC', 'BSMTPOUT', 'DL', 'CCIN', 'NOTESIN'] as const;
export type OutputChannel = (typeof outputChannels)[number];
