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
  /** Whether rules that do not apply are written down, too. */
  readonly #whyNot: boolean;
  readonly #seen = new Set<string>();
  readonly #routed = new Set<string>();

  constructor(whyNot: boolean) {
    this.#whyNot = whyNot;
  }

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
    this.#note({ address, rule, applied: true, text, ...(entry === undefined ? {} : { entry }) });
  }

  /** A rule was looked at and does not apply. */
  not(address: string, rule: string, text: string, entry?: string): void {
    if (this.#whyNot) this.#note({ address, rule, applied: false, text, ...(entry === undefined ? {} : { entry }) });
  }

  #note(step: Step): void {
    if (this.steps.length < 4 * widest) this.steps.push(step);
  }

  /** One mailbox or list gets one copy, however many ways lead there. */
  add(route: Route): void {
    const own = route.queue === 'LOCAL' || route.queue === 'DL' ? '' : sameAddress(route.address);
    const key = `${route.queue} ${route.identifier} ${own}`;
    if (this.#routed.has(key)) return;
    this.#routed.add(key);
    this.routes.push(route);
  }

  route(rule: string, route: Route, entry?: string): void {
    this.step(route.address, rule, `${route.queue}${route.identifier === '' ? '' : ` ${route.identifier}`}`, entry);
    this.add(route);
  }

  /** Forwarding came back to where it was: no failure as long as something is delivered. */
  circle(address: string): void {
    this.step(address, 'circle', 'forwarding leads back here');
  }

  /** `rule` is the attribute that decides it. */
  refuse(address: string, status: string, text: string, entry?: string, rule?: string): void {
    this.step(address, 'refused', `${status} ${text}`, entry);
    const by = { ...(rule === undefined ? {} : { rule }), ...(entry === undefined ? {} : { entry }) };
    if (this.refusals.length < widest) this.refusals.push({ address, status, text, ...by });
  }
}

const sameAddress = (address: string): string => address.toLowerCase();
