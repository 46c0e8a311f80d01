/**
 * What the Responder can start and stop: every door, agent and channel processor is one of these.
 *
 * Promise asked of an implementation: `start` resolves when it serves; `stop` refuses new work at once, finishes or hands
 * back what it holds, and resolves within ten seconds whatever strangers do; a stopped component can be started again.
 * A component that fails by itself later calls `failed` (given by whoever starts it).
 * Source: manual chapter 2, "Component Status"
 */
export interface Component {
  /** The name of the manual: SMTPD, SMTPC, PREPROCESSOR, LMDA, IMAPD, POP3D, DIRECTORY, WEB … */
  readonly name: string;
  start(failed: (cause: unknown) => void): Promise<void>;
  stop(): Promise<void>;
  /** What does not work although it runs: a changed port that cannot be had. */
  problem?(): string | undefined;
}
