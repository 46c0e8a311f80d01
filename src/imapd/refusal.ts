/** A Fault with an IMAP response code of its own, where the code of its kind would say too little. */

import { Fault, type FaultKind } from '../base/index.ts';

export class Refusal extends Fault {
  readonly code: string;

  constructor(kind: FaultKind, code: string, say: string) {
    super(kind, say);
    this.name = 'Refusal';
    this.code = code;
  }
}
