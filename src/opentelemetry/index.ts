export { type OpenTelemetryOptions, openTelemetry, type Telemetry, type TracedTask } from './open-telemetry.ts';
