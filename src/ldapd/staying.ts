/**
 * Searches that stay open until somebody ends them. They are not counted among the operations in work, for they would block the
 * connection that has them; they have limits of their own.
 *
 * Promise: strangers cannot use up what all have together.
 */

import { DirectoryFault } from '../directory/index.ts';

export class Staying {
  readonly #most: () => number;
  #all = 0;
  #strangers = 0;

  constructor(most: () => number) {
    this.#most = most;
  }

  /** One more; returns what ends it. Throws adminLimitExceeded. */
  enter(stranger: boolean): () => void {
    const most = this.#most();
    if (this.#all >= most || (stranger && this.#strangers >= Math.ceil(most / 4))) {
      throw new DirectoryFault('adminLimitExceeded', 'the server has as many searches that stay open as it may');
    }
    this.#all += 1;
    if (stranger) this.#strangers += 1;
    return () => {
      this.#all -= 1;
      if (stranger) this.#strangers -= 1;
    };
  }
}
