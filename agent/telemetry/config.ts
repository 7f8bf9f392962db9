/** The `telemetry` key of agent.yaml: what is kept of requests. Workers get their part of it with the data plane's settings. @module */
import { recordsConfig } from '../../proxy/telemetry/config.ts';

export const telemetryConfig = recordsConfig;
