/**
 * Connecting to an application of this node. That it takes no connection is told at once to whoever can find out more: a
 * process that is stopped or dies says nothing else.
 * @module
 */

import { dialContext, type RouteContext } from '../upstream/context.ts';
import { type DialResult, dialTcp } from '../upstream/dial.ts';
import { tellUnreachable } from '../upstream/local-target.ts';
import { appDestination } from './app-connection.ts';
import type { Call } from './call.ts';

/** Calls back exactly once, never before it returned. */
export function dialApp(call: Call, context: RouteContext, done: (result: DialResult) => void): void {
  dialTcp(appDestination(call, context), dialContext(context), (result) => {
    if (!result.ok && result.reason === 'app-unreachable') tellUnreachable(call.target, context);
    done(result);
  });
}
