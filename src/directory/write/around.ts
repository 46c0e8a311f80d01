/**
 * What a client may ask around a write: the assertion before it, the entry as it was and as it has become.
 *
 * Promise: all of it belongs to the write's own transaction, so nothing comes between; values are compared and shown as far as the
 * actor may search and read them. A transaction that is run again starts afresh.
 * Spec: RFC 4527, RFC 4528
 */

import type { Judge, Subject } from '../access/judge.ts';
import type { Entry } from '../entry.ts';
import { DirectoryFault, type WriteOptions, type WriteResult } from '../port.ts';
import type { Stored } from '../records/view.ts';
import type { Compiler, Matcher } from '../search/evaluate.ts';
import type { Selection, Selector } from '../search/select.ts';

export interface AroundParts {
  readonly judge: Judge;
  readonly compiler: Compiler;
  readonly selector: Selector;
}

/** Throws DirectoryFault assertionFailed unless the entry matches; Undefined is not a match. */
export function checkAssertion(judge: Judge, subject: Subject, matcher: Matcher, stored: Stored): void {
  const may = subject.system
    ? undefined
    : (at: Stored, type: Parameters<ReturnType<Judge['verdict']>['allows']>[0]) => judge.verdict(subject, at.entry).allows(type, 'search');
  if (matcher(stored, may) !== true) throw new DirectoryFault('assertionFailed', 'the entry does not match the assertion');
}

export class Around {
  readonly #parts: AroundParts;
  readonly #subject: Subject;
  readonly #matcher: Matcher | undefined;
  readonly #pre: Selection | undefined;
  readonly #post: Selection | undefined;
  #before: Entry | undefined;
  #after: Entry | undefined;

  constructor(parts: AroundParts, subject: Subject, options: WriteOptions) {
    const { compiler, selector } = parts;
    this.#parts = parts;
    this.#subject = subject;
    this.#matcher = options.assertion && compiler.compile(options.assertion);
    this.#pre = options.preRead && selector.selection(options.preRead, false);
    this.#post = options.postRead && selector.selection(options.postRead, false);
  }

  /** The target as it is, or for an add as it would be. Throws assertionFailed. */
  assert(target: Stored): void {
    if (this.#matcher) checkAssertion(this.#parts.judge, this.#subject, this.#matcher, target);
  }

  /** The target before anything is done to it. Throws assertionFailed. */
  begin(target: Stored): void {
    this.assert(target);
    this.#before = this.#pre && this.#shown(target, this.#pre);
  }

  /** What has become of the target. */
  end(target: Stored): void {
    this.#after = this.#post && this.#shown(target, this.#post);
  }

  get result(): WriteResult {
    return { ...(this.#before ? { before: this.#before } : {}), ...(this.#after ? { after: this.#after } : {}) };
  }

  #shown(target: Stored, selection: Selection): Entry {
    const { judge, selector } = this.#parts;
    return selector.select(target, selection, judge.verdict(this.#subject, target.entry));
  }
}

/** Undefined where nothing is asked for: the everyday write. */
export function aroundOf(parts: AroundParts, subject: Subject, options: WriteOptions | undefined): Around | undefined {
  if (!options || (!options.assertion && !options.preRead && !options.postRead)) return undefined;
  return new Around(parts, subject, options);
}
