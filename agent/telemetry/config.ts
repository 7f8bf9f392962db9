/** The `telemetry` key of agent.yaml: what is kept of requests. Workers get their part of it with the data plane's settings. @module */
import type { z } from 'zod';
import { recordsConfig } from '../../proxy/telemetry/config.ts';
import { accessLogConfig } from './access-log-config.ts';
import { metricsFields } from './metrics-config.ts';
import { otlpConfig } from './otlp-config.ts';
import { tracesConfig } from './traces-config.ts';

export const telemetryConfig = recordsConfig.safeExtend({
  ...metricsFields,
  accessLog: accessLogConfig
    .prefault({})
    .describe('A line of each kept request, and what is taken out of all that is kept.'),
  traces: tracesConfig.prefault({}).describe('The traces that a node keeps itself, for weft traces and the console.'),
  otlp: otlpConfig.prefault({}).describe('Spans for a collector of OpenTelemetry.'),
});
export type TelemetryConfig = z.output<typeof telemetryConfig>;
