export { addrXtext, fromAddrXtext, originalRecipientOut } from './addr-xtext.ts';
export {
  type Address,
  addressKey,
  domainOf,
  formatAddress,
  needsUtf8,
  normalizeAddress,
  normalizeDomain,
  parseAddress,
  parsePath,
} from './address.ts';
export { parseAddressList } from './address-list.ts';
export { charsetLabel, mimeFields } from './charset-label.ts';
export { formatDate, parseDate } from './date.ts';
export { FirstLine } from './first-line.ts';
export { Base64Encoder, longestLine, QuotedPrintableEncoder } from './fit/encoders.ts';
export { type Fit, type FitSource, type FitWishes, fitMessage, hasInternationalHeader } from './fit/fit.ts';
export { Cannot, editedHeader } from './fit/header-block.ts';
export { HeadWatch } from './head-watch.ts';
export { fieldValue, type HeaderField, headerValue, headerValues, splitHeader, withField, withoutFields } from './header.ts';
export { indexMessage, MessageIndexer } from './indexer.ts';
export { KeptHeader } from './kept-header.ts';
export { LineEndNormalizer, needs8bit, normalizeLineEnds } from './line-ends.ts';
export { LongLineWatch } from './long-lines.ts';
export { leastUrgent, mostUrgent, precedenceOf } from './precedence.ts';
export { addressesIn, headerAddresses, missingFields } from './recipients.ts';
export {
  buildReport,
  noticeHeader,
  type ReportAction,
  type ReportContent,
  type ReportedRecipient,
  textPart,
} from './report.ts';
export { reportLine } from './report-line.ts';
export type * from './structure.ts';
export { asMessage } from './submission.ts';
export { deliveredToLine, foldField, messageId, receivedLine, returnPathLine } from './trace.ts';
export { isAutomaticAnswer, isForged, isSpamTagged, prefixWithoutVerdicts, withoutVerdicts } from './verdicts.ts';
export { decodeWords, encodeWords } from './words.ts';
