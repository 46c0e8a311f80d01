export { createExplain, type Explain, type ExplainNeeds, type Explanation, type HostView, type Question, type Ruling } from './explain.ts';
export type { Refusal, Route, Router, Routing, RoutingContext, Step, Verdict } from './port.ts';
export { createRouter, type RouterNeeds, type RoutingDit } from './route.ts';
