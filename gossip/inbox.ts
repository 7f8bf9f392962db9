/**
 * Which part of the core each message of a peer is for.
 * @module
 */
import type { AntiEntropy } from './anti-entropy/session.ts';
import type { Documents } from './documents/documents.ts';
import type { Context } from './effects.ts';
import { send } from './effects.ts';
import type { Detector } from './members/detector.ts';
import type { Membership } from './members/membership.ts';
import type { Absence } from './overlay/absence.ts';
import type { Intake } from './records/intake.ts';
import type { Pages } from './records/pages.ts';
import type { Message } from './wire/messages.ts';

/** Those that messages can be for. */
export interface Readers {
  readonly context: Context;
  readonly absence: Absence;
  readonly detector: Detector;
  readonly membership: Membership;
  readonly intake: Intake;
  readonly pages: Pages;
  readonly antiEntropy: AntiEntropy;
  /** Undefined in a node that takes no part in documents. */
  readonly documents: Documents | undefined;
}

export function receive(parts: Readers, from: string, message: Message): void {
  parts.absence.heard(parts.context.nowMs);
  parts.detector.heard(from, message.kind === 'ack');
  switch (message.kind) {
    case 'ping':
      send(parts.context, from, { kind: 'ack', seq: message.seq });
      break;
    case 'ack':
      parts.membership.reached(from);
      break;
    case 'ask':
      tell(parts, from, message.about);
      break;
    case 'tell':
      parts.detector.told(message.about, message.ageMs);
      break;
    case 'suspect':
      parts.membership.hearAccusation(message, from);
      break;
    case 'veto':
      parts.membership.hearVeto(message, from);
      break;
    case 'contest':
      parts.membership.hearContest(message.lines, from);
      break;
    case 'standing':
      parts.intake.standing(from, message.name, message.standing);
      break;
    case 'news':
      parts.intake.news(from, message.lines);
      break;
    case 'hello':
      parts.intake.hello(from, message.page);
      break;
    case 'delta':
      parts.intake.delta(from, message.delta, true);
      break;
    case 'pages':
      parts.intake.pages(from, message.pages);
      break;
    case 'pull':
      parts.pages.answer(from, message.items);
      break;
    case 'ae-root':
    case 'ae-equal':
    case 'ae-sums':
    case 'ae-digest':
      parts.antiEntropy.received(from, message);
      break;
    default:
      parts.documents?.received(from, message);
  }
}

/** When the member that `from` asks about last answered us. */
function tell({ context, detector }: Readers, from: string, about: string): void {
  const ageMs = detector.ageMs(about);
  send(context, from, { kind: 'tell', about, ageMs: ageMs === undefined ? null : Math.round(ageMs) });
}
