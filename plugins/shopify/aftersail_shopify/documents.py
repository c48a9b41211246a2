"""Every GraphQL document the connector sends, by operation name.

Checked against the published schemas of 2026-07 and 2026-10. Amounts are read in the presentment currency, the one the
buyer paid in; `refundCreate` wants that one too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Document:
    """One operation.

    Attributes:
        cost: points it may cost at most, for the budget; Shopify charges what it really cost.
    """

    name: str
    text: str
    write: bool = False
    cost: float = 10.0


_MONEY = "{ presentmentMoney { amount currencyCode } }"

SHOP: Final = Document(
    "AftersailShop",
    """query AftersailShop {
  shop { id name myshopifyDomain }
  currentAppInstallation { accessScopes { handle } }
}""",
)

ORDERS: Final = Document(
    "AftersailOrders",
    f"""query AftersailOrders($first: Int!, $after: String, $query: String!) {{
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{
      id name createdAt updatedAt email customerLocale displayFinancialStatus displayFulfillmentStatus cancelledAt
      customer {{ id displayName }}
      shippingAddress {{ countryCodeV2 provinceCode }}
      taxesIncluded
      shippingLine {{ discountedPriceSet {_MONEY} taxLines {{ priceSet {_MONEY} }} }}
      totalPriceSet {_MONEY}
      totalRefundedSet {_MONEY}
      netPaymentSet {_MONEY}
      lineItems(first: 10) {{
        nodes {{ id title sku quantity requiresShipping discountedUnitPriceAfterAllDiscountsSet {_MONEY} }}
        pageInfo {{ hasNextPage endCursor }}
      }}
      fulfillments(first: 5) {{ deliveredAt trackingInfo(first: 3) {{ company number }} }}
    }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}""",
    cost=700.0,
)

ORDER_LINES: Final = Document(
    "AftersailOrderLines",
    f"""query AftersailOrderLines($id: ID!, $after: String) {{
  order(id: $id) {{
    lineItems(first: 100, after: $after) {{
      nodes {{ id title sku quantity requiresShipping discountedUnitPriceAfterAllDiscountsSet {_MONEY} }}
      pageInfo {{ hasNextPage endCursor }}
    }}
  }}
}}""",
    cost=310.0,
)

RETURNS: Final = Document(
    "AftersailReturns",
    f"""query AftersailReturns($first: Int!, $after: String, $query: String!) {{
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {{
    nodes {{
      id updatedAt email
      customer {{ id displayName }}
      returns(first: 5) {{
        nodes {{
          id name status createdAt
          returnLineItems(first: 10) {{
            nodes {{
              customerNote
              returnReasonDefinition {{ handle }}
              ... on ReturnLineItem {{
                withCodeDiscountedTotalPriceSet {_MONEY}
                fulfillmentLineItem {{ lineItem {{ id }} }}
              }}
            }}
          }}
        }}
        pageInfo {{ hasNextPage }}
      }}
    }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}""",
    cost=800.0,
)

RETURN: Final = Document(
    "AftersailReturn",
    "query AftersailReturn($id: ID!) { return(id: $id) { id status order { id } } }",
)

REFUNDABLE: Final = Document(
    "AftersailRefundable",
    f"""query AftersailRefundable($id: ID!) {{
  order(id: $id) {{
    id presentmentCurrencyCode
    suggestedRefund(suggestFullRefund: true) {{
      maximumRefundableSet {_MONEY}
      suggestedTransactions {{
        gateway
        amountSet {_MONEY}
        maximumRefundableSet {_MONEY}
        parentTransaction {{ id }}
      }}
    }}
    refunds(first: 30) {{
      id note createdAt
      totalRefundedSet {_MONEY}
      transactions(first: 5) {{ nodes {{ kind status amountSet {_MONEY} }} }}
    }}
  }}
}}""",
    cost=700.0,
)

REFUND: Final = Document(
    "AftersailRefund",
    f"""mutation AftersailRefund($input: RefundInput!, $key: String!) {{
  refundCreate(input: $input) @idempotent(key: $key) {{
    refund {{
      id note createdAt
      totalRefundedSet {_MONEY}
      transactions(first: 5) {{ nodes {{ kind status amountSet {_MONEY} }} }}
    }}
    userErrors {{ field message }}
  }}
}}""",
    write=True,
    cost=50.0,
)

APPROVE: Final = Document(
    "AftersailReturnApprove",
    """mutation AftersailReturnApprove($input: ReturnApproveRequestInput!) {
  returnApproveRequest(input: $input) { return { id status } userErrors { code field message } }
}""",
    write=True,
)

DECLINE: Final = Document(
    "AftersailReturnDecline",
    """mutation AftersailReturnDecline($input: ReturnDeclineRequestInput!) {
  returnDeclineRequest(input: $input) { return { id status } userErrors { code field message } }
}""",
    write=True,
)

WEBHOOKS: Final = Document(
    "AftersailWebhooks",
    """query AftersailWebhooks($uri: String!, $after: String) {
  webhookSubscriptions(first: 100, uri: $uri, after: $after) {
    nodes { id topic uri }
    pageInfo { hasNextPage endCursor }
  }
}""",
    cost=110.0,
)

SUBSCRIBE: Final = Document(
    "AftersailSubscribe",
    """mutation AftersailSubscribe($topic: WebhookSubscriptionTopic!, $subscription: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $subscription) {
    webhookSubscription { id topic uri }
    userErrors { field message }
  }
}""",
    write=True,
)

ALL: Final = (
    SHOP,
    ORDERS,
    ORDER_LINES,
    RETURNS,
    RETURN,
    REFUNDABLE,
    REFUND,
    APPROVE,
    DECLINE,
    WEBHOOKS,
    SUBSCRIBE,
)
"""Every document, for the check against the schema."""
