export {
  type Conclusion,
  createMailAuthentication,
  type Examination,
  type MailAuthentication,
  type MailAuthenticationNeeds,
} from './authentication.ts';
export { importKey, type KeyType, keyRecord, keyTypes, type MadeKey, makeKey, readKeyRecord, zoneStrings } from './dkim-key.ts';
export { findPolicy, organizationalDomain } from './dmarc.ts';
export type { DomainRule } from './policy.ts';
export { methodsOf, tagField } from './results.ts';
export { type MailAuthSettings, mailAuthSettings, type Treatment, treatments } from './settings.ts';
export { createSigner, type MaySign, type Signer, type StoredKey } from './signer.ts';
