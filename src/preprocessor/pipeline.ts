/**
 * Running the modules over a routed message.
 *
 * A message begins as one variant for all its recipients. A module is asked once for each variant, about the recipients
 * whose cell of its matrix is marked; what it replaces becomes a variant of its own for just those.
 * Decides and reads; what is written is the business of preprocessor.ts.
 */

import { type Cancel, type Clock, Fault, type InputChannel } from '../base/index.ts';
import type { NewMessage, QueuedMessage } from '../queue/index.ts';
import type { BlobInfo, Blobs } from '../storage/index.ts';
import { messageHandle } from './handle.ts';
import type { MessageHandle, Module, ModuleTask, ModuleVerdict, RoutedRecipient } from './module.ts';

/** Bytes and fields in front, and who gets them. */
export interface Variant {
  readonly blob: BlobInfo;
  readonly prefix: string;
  readonly recipients: readonly RoutedRecipient[];
}

export interface Bounced {
  readonly recipient: RoutedRecipient;
  readonly status: string;
  readonly text: string;
  readonly toPostmaster: boolean;
}

export interface Processed {
  readonly variants: readonly Variant[];
  readonly bounced: readonly Bounced[];
  readonly discarded: readonly { readonly recipient: RoutedRecipient; readonly text: string }[];
  readonly also: readonly NewMessage[];
}

/** A module wants the message to wait. */
export class Wait extends Error {
  constructor(text: string) {
    super(text);
    this.name = 'Wait';
  }
}

const variantsAtMost = 50;
const emptyMatrix: ReadonlySet<string> = new Set();
const matrices = new WeakMap<readonly string[], ReadonlySet<string>>();

/** The matrix as a set, made once for each value of the setting. */
function cells(matrix: readonly string[]): ReadonlySet<string> {
  if (matrix.length === 0) return emptyMatrix;
  let known = matrices.get(matrix);
  if (!known) {
    known = new Set(matrix);
    matrices.set(matrix, known);
  }
  return known;
}

export interface PipelineNeeds {
  readonly blobs: Pick<Blobs, 'put' | 'read' | 'stream' | 'whole'>;
  /** In the order in which they run. */
  readonly modules: readonly Module[];
  readonly clock: Clock;
  /** Milliseconds that a module may take for one message, as it is now. */
  readonly moduleTime: () => number;
}

export class Pipeline {
  readonly #needs: PipelineNeeds;

  constructor(needs: PipelineNeeds) {
    this.#needs = needs;
  }

  /** Throws `Wait` where a module wants the message to wait, and whatever a module throws. */
  async run(message: QueuedMessage, recipients: readonly RoutedRecipient[]): Promise<Processed> {
    const run = new Run(this.#needs, message, recipients);
    for (const module of this.#needs.modules) await run.module(module);
    return run;
  }
}

/** The signal is made for modules that look at it: most are done at once. */
class Task implements ModuleTask {
  readonly input: InputChannel;
  readonly outputs: ModuleTask['outputs'];
  readonly recipients: readonly RoutedRecipient[];
  #over: AbortController | undefined;

  constructor(input: InputChannel, recipients: readonly RoutedRecipient[]) {
    this.input = input;
    this.outputs = [...new Set(recipients.map(({ queue }) => queue))];
    this.recipients = recipients;
  }

  get signal(): AbortSignal {
    this.#over ??= new AbortController();
    return this.#over.signal;
  }

  abort(why: Error): void {
    this.#over?.abort(why);
  }
}

class Run implements Processed {
  variants: Variant[];
  readonly bounced: Bounced[] = [];
  readonly discarded: { recipient: RoutedRecipient; text: string }[] = [];
  readonly also: NewMessage[] = [];
  readonly #needs: PipelineNeeds;
  readonly #message: QueuedMessage;
  readonly #handles = new Map<string, MessageHandle>();

  constructor(needs: PipelineNeeds, message: QueuedMessage, recipients: readonly RoutedRecipient[]) {
    this.#needs = needs;
    this.#message = message;
    this.variants = [{ blob: message.blob, prefix: message.prefix, recipients }];
  }

  async module(module: Module): Promise<void> {
    const marked = cells(module.matrix.value);
    const input: InputChannel = this.#message.inputChannel;
    for (const variant of [...this.variants]) {
      const concerned = variant.recipients.filter(({ queue }) => marked.has(`${input} ${queue}`));
      if (concerned.length === 0) continue;
      const verdicts = await this.#ask(module, variant, new Task(input, concerned));
      let left: readonly RoutedRecipient[] = concerned;
      let current = variant;
      for (const verdict of Array.isArray(verdicts) ? (verdicts as readonly ModuleVerdict[]) : [verdicts as ModuleVerdict]) {
        const these = verdict.only ? left.filter((recipient) => verdict.only?.includes(recipient)) : left;
        this.also.push(...(verdict.also ?? []));
        if (verdict.is === 'pass' || these.length === 0) continue;
        left = left.filter((recipient) => !these.includes(recipient));
        current = await this.#apply(current, verdict, these);
      }
    }
  }

  /** Throws what the module throws, and where it takes longer than it may. */
  async #ask(module: Module, variant: Variant, task: Task): Promise<ModuleVerdict | readonly ModuleVerdict[]> {
    const { clock, moduleTime } = this.#needs;
    const time = moduleTime();
    let cancel: Cancel = () => {};
    const tooLong = new Promise<never>((_, reject) => {
      cancel = clock.after(time, () => {
        const late = new Error(`module ${module.name} did not come to an end within ${time / 1000} seconds`);
        task.abort(late);
        reject(late);
      });
    });
    try {
      return await Promise.race([module.run(this.#handle(variant), task), tooLong]);
    } finally {
      cancel();
    }
  }

  /** Takes these recipients out of the variant, to where the verdict puts them. Returns what is left of it. */
  async #apply(variant: Variant, verdict: ModuleVerdict, these: readonly RoutedRecipient[]): Promise<Variant> {
    if (verdict.is === 'defer') throw new Wait(verdict.text);
    const rest: Variant = { ...variant, recipients: variant.recipients.filter((recipient) => !these.includes(recipient)) };
    this.variants = this.variants.flatMap((one) => (one === variant ? (rest.recipients.length > 0 ? [rest] : []) : [one]));
    if (verdict.is === 'bounce') {
      const { status, text, toPostmaster = false } = verdict;
      for (const recipient of these) this.bounced.push({ recipient, status, text, toPostmaster });
    } else if (verdict.is === 'discard') {
      for (const recipient of these) this.discarded.push({ recipient, text: verdict.text });
    } else if (verdict.is === 'replace') {
      if (this.variants.length >= variantsAtMost) throw new Fault('too-many', 'too many versions of one message');
      const blob = verdict.bytes ? await this.#store(verdict.bytes) : variant.blob;
      this.variants.push({ blob, prefix: verdict.prefix ?? variant.prefix, recipients: these });
    }
    return rest;
  }

  #store(bytes: Uint8Array): Promise<BlobInfo> {
    const { sender, arrivedAt } = this.#message;
    return this.#needs.blobs.put(bytes, { sender, arrivedAt, changed: true });
  }

  #handle({ blob, prefix }: Variant): MessageHandle {
    const key = `${blob.id} ${prefix}`;
    let handle = this.#handles.get(key);
    if (!handle) {
      handle = messageHandle(this.#needs.blobs, this.#message, blob, prefix);
      this.#handles.set(key, handle);
    }
    return handle;
  }
}
