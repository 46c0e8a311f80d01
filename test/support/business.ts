/**
 * When nothing is under way any more, however slow the machine: tests that move a clock wait for that, and not for a time.
 *
 * What was asked of the database and of files is counted until it is answered; what goes over loopback arrives within a turn of the loop. So some turns
 * without either, and without anything new to be seen, are rest.
 */

/** Turns of the loop without anything. */
const restfulTurns = 20;
const filesystem = /^FSReq/;

export class Business {
  #pending = 0;

  /** The same thing, with what is asked of it counted. */
  watch<T extends object>(thing: T): T {
    return new Proxy(thing, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): unknown => this.#counted((member as (...args: unknown[]) => unknown).apply(target, args));
      },
    });
  }

  #counted(answer: unknown): unknown {
    if (answer instanceof Promise) return this.#until(answer);
    if (typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer)
      return this.#walked(answer as AsyncIterable<unknown>);
    return answer;
  }

  #until<T>(answer: Promise<T>): Promise<T> {
    this.#pending += 1;
    return answer.finally(() => {
      this.#pending -= 1;
    });
  }

  async *#walked(answer: AsyncIterable<unknown>): AsyncGenerator<unknown> {
    const iterator = answer[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await this.#until(Promise.resolve(iterator.next()));
        if (done) return value;
        yield value;
      }
    } finally {
      await iterator.return?.(undefined);
    }
  }

  /** Resolves at rest. `seen` says what can be seen from outside. */
  async rest(seen: () => string): Promise<void> {
    let before = seen();
    for (let still = 0; still < restfulTurns; ) {
      await new Promise((resolve) => setImmediate(resolve));
      const now = seen();
      const quiet = this.#pending === 0 && now === before && !process.getActiveResourcesInfo().some((one) => filesystem.test(one));
      still = quiet ? still + 1 : 0;
      before = now;
    }
  }
}
