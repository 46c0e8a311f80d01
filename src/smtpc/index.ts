export type { EtrnAnswer } from './etrn.ts';
export type { RelayStatus } from './relays.ts';
export { isEtrnName, isHostSetting } from './settings/etrn.ts';
export { type SmtpcSettings, smtpcSettings } from './settings/index.ts';
export { createSmtpc, type SmtpcComponent, type SmtpcOptions } from './smtpc.ts';
export { createNoticeTexts } from './texts.ts';
export { type Published, published } from './tls/publish.ts';
export { type WeightRule, weigher, weightOf, weightRule } from './weight.ts';
