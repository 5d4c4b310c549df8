import type { StatisticsInfo } from "@antechamber/client/protocol";
import type { Statistics } from "../../services/statistics.ts";
import { Refusal } from "../../session/errors.ts";
import { statisticsInfo } from "../../wire/statistics-info.ts";
import { type ApiResponse, json } from "../api-response.ts";
import type { Call } from "../call.ts";
import { readStatisticsQuery } from "../parse/statistics-query.ts";

/** Creates the handler of statistics (contract.md#statistics). */
export function createStatisticsHandler(statistics: Statistics) {
  return async ({ request }: Call): Promise<ApiResponse> => {
    const result = await statistics.read(readStatisticsQuery(request.query));
    if ("faults" in result) {
      throw new Refusal({
        code: "invalid-request",
        errors: result.faults.map((fault) => ({ in: "query", ...fault }) as const),
      });
    }
    return json(statisticsInfo(result) satisfies StatisticsInfo);
  };
}
