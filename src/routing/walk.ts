/**
 * The state of one routing: what was found so far, and the bounds that keep a tangle of forwardings finite.
 */

import type { Refusal, Route, Step } from './port.ts';

/** Forwardings one behind the other. */
export const deepest = 10;
/** Routes and looked-up addresses of one recipient. */
const widest = 1000;

export class Walk {
  readonly routes: Route[] = [];
  readonly refusals: Refusal[] = [];
  readonly steps: Step[] = [];
  local = false;
  readonly #seen = new Set<string>();
  readonly #routed = new Set<string>();

  /** Whether this address is new to the walk; each is looked at once. */
  enter(key: string): boolean {
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    return true;
  }

  get tooWide(): boolean {
    return this.#seen.size > widest || this.routes.length >= widest;
  }

  step(address: string, rule: string, text: string, entry?: string): void {
    if (this.steps.length >= 4 * widest) return;
    this.steps.push(entry === undefined ? { address, rule, text } : { address, rule, text, entry });
  }

  /** One mailbox or list gets one copy, however many ways lead there. */
  add(route: Route): void {
    const own = route.queue === 'LOCAL' || route.queue === 'DL' ? '' : route.address.toLowerCase();
    const key = `${route.queue} ${route.identifier} ${own}`;
    if (this.#routed.has(key)) return;
    this.#routed.add(key);
    this.routes.push(route);
  }

  /** Forwarding came back to where it was: no failure as long as something is delivered. */
  circle(address: string): void {
    this.step(address, 'circle', 'forwarding leads back here');
  }

  refuse(address: string, status: string, text: string): void {
    if (this.refusals.length < widest) this.refusals.push({ address, status, text });
  }
}
