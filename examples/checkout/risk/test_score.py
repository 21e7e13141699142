import json
import unittest

from durable_worker.sqs_runner import handle_message

from worker import worker


def order(**fields):
    return {"orderId": "o-1", "amountCents": 5_000, "country": "DE", "cardCountry": "DE", **fields}


class ScoreOrder(unittest.TestCase):
    def run_step(self, data):
        task = {"runId": "o-1", "seq": 0, "name": "risk.score-order", "stepId": "o-1:0", "input": data, "attempt": 1}
        return handle_message(worker, json.dumps({**task, "group": "risk--score-order"}))

    def test_small_order_with_a_card_of_the_country_is_no_risk(self):
        result = self.run_step(order())
        self.assertEqual(result["status"], "completed")
        self.assertLess(result["output"]["score"], 0.1)

    def test_large_order_with_a_foreign_card_is_all_risk(self):
        result = self.run_step(order(amountCents=2_000_000, cardCountry="FR"))
        self.assertEqual(result["output"], {"score": 1.0})


if __name__ == "__main__":
    unittest.main()
