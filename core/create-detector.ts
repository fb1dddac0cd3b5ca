import { type Detector, MetricForestsDetector } from './detector.ts';
import { IsolationForestDetector } from './isolation-forest-detector.ts';
import type { Model } from './model.ts';

/** The detector that a model holds, with empty windows. */
export function createDetector(model: Model): Detector {
  return model.detector === 'metric-forests'
    ? new MetricForestsDetector(model)
    : new IsolationForestDetector(model);
}
