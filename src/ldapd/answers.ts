/** From a command's answer to octets, and from a refusal to a log line. */

import { asFault, counter, type Log } from '../base/index.ts';
import { encodeResponse, type Message, type Request, wrapOperation } from '../ldap-wire/index.ts';
import type { Answer } from './command.ts';
import { successOperation } from './results.ts';

const operations = counter('mailtree_ldap_operations_total', 'LDAP operations answered, by kind and result code.', ['operation', 'code']);

/** The whole message that answers a request. Plain success is encoded once and for all. */
export function answerMessage({ id, body }: Message<Request>, answer: Answer): Buffer {
  const op = body.op as Exclude<Request['op'], 'unbind' | 'abandon'>;
  const { result, credentials, oid, value, controls } = answer;
  operations.count(op, String(result.code));
  if (result.code === 0 && result.diagnostic === '' && !credentials && oid === undefined && !value) {
    return wrapOperation(id, successOperation(op), controls);
  }
  const extra = { ...(credentials ? { credentials } : {}), ...(oid === undefined ? {} : { oid }), ...(value ? { value } : {}) };
  return encodeResponse(id, { op, result, ...extra }, controls);
}

/** A defect of ours is an error, a refused log-in worth knowing, anything else everyday business. */
export function noteRefusal(log: Log, address: string, request: Request, thrown: unknown): void {
  const fault = asFault(thrown);
  const from = address || 'the local socket';
  if (fault.kind === 'bug') log.error(`${request.op} from ${from} failed`, thrown);
  else if (request.op === 'bind') log.info(`bind as "${request.name.slice(0, 256)}" from ${from} refused: ${fault.say}`);
  else log.diagnostic(`${request.op} from ${from} refused: ${fault.say}`);
}
