/** A store in plain maps: what the real one is compared with after every step. */

export interface ModelMessage {
  flags: Set<string>;
  readonly size: number;
  readonly internalDate: number;
  readonly text: string;
  readonly prefix: string;
}

export class ModelMailbox {
  readonly messages = new Map<number, ModelMessage>();
  uidNext = 1;

  add(message: ModelMessage): number {
    this.messages.set(this.uidNext, message);
    return this.uidNext++;
  }

  get counters() {
    const all = [...this.messages.values()];
    return {
      uidNext: this.uidNext,
      messages: all.length,
      unseen: all.filter(({ flags }) => !flags.has('\\Seen')).length,
      deleted: all.filter(({ flags }) => flags.has('\\Deleted')).length,
      size: all.reduce((sum, { size }) => sum + size, 0),
    };
  }

  get index() {
    return [...this.messages].map(([uid, { flags, size, internalDate }]) => ({ uid, flags: [...flags].sort(), size, internalDate }));
  }
}

/** Dice that fall the same way every time (mulberry32). */
export function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % sides;
  };
}
