/** The key `telemetry`: what the agent tells of the traffic that it carries. @module */
import { z } from 'zod';
import { metricsFields } from './metrics-config.ts';

export const telemetryConfig = z.strictObject({ ...metricsFields });
