export const topics = ["Deliveries", "Returns", "Payments"] as const;

export type Topic = (typeof topics)[number];

/**
 * An article of the help centre. In `body`, a string is a paragraph, and a list of strings is shown as numbered steps.
 */
export interface Article {
  readonly slug: string;
  readonly topic: Topic;
  readonly title: string;
  readonly summary: string;
  readonly body: readonly (string | readonly string[])[];
}

export const articles: readonly Article[] = [
  {
    slug: "where-is-my-parcel",
    topic: "Deliveries",
    title: "Where is my parcel?",
    summary: "Follow a parcel from our warehouse to your door, and what to do when it is late.",
    body: [
      "We send a tracking number as soon as a parcel leaves the warehouse, usually on the evening of the day you order. The carrier’s page may need until the next morning to know it.",
      "A parcel is late when two working days have passed since the day we named. Then:",
      [
        "Look for a card from the carrier, and ask the neighbours: parcels that do not fit the letter box are often left next door.",
        "Check that the address in your confirmation is complete.",
        "Write to us with the order number. We ask the carrier the same day and send a replacement when the parcel is not found within five working days.",
      ],
    ],
  },
  {
    slug: "delivery-times-and-costs",
    topic: "Deliveries",
    title: "Delivery times and costs",
    summary: "Standard, express and furniture deliveries: how long they take and what they cost.",
    body: [
      "Standard delivery takes two to four working days and costs 4.90. It is free for orders over 60.",
      "Express delivery arrives on the next working day when you order before 2 pm, for 9.90.",
      "Furniture comes with two people who carry it to the room you choose. They call two days before to agree on a morning or an afternoon; the cost is shown in the basket.",
    ],
  },
  {
    slug: "change-a-delivery-address",
    topic: "Deliveries",
    title: "Change the address of an order",
    summary: "Until the parcel is packed you can change where it goes; afterwards the carrier can.",
    body: [
      "An order can be changed until it is packed, which the order’s page shows as “Being packed”.",
      [
        "Open the order and choose “Change address”.",
        "Pick one of your addresses or enter a new one.",
        "Wait for the confirmation: the old address counts until it has arrived.",
      ],
      "Once the parcel is on its way, the carrier’s tracking page offers another day, a neighbour or a parcel shop.",
    ],
  },
  {
    slug: "something-arrived-broken",
    topic: "Deliveries",
    title: "Something arrived broken",
    summary: "Glasses and lamps travel far. Send a photo and we send a new one.",
    body: [
      "We are sorry. Please keep the packaging until everything is settled: the carrier may want to see it.",
      [
        "Take a photo of the damage and one of the parcel.",
        "Send both with the order number, within 14 days.",
        "Choose between a replacement and your money back. There is no need to return the broken piece.",
      ],
    ],
  },
  {
    slug: "return-an-order",
    topic: "Returns",
    title: "Return something",
    summary: "You have 30 days. The label is in the parcel, and returns are free.",
    body: [
      "Everything but cut fabric and made-to-measure blinds can come back within 30 days, unused and in its packaging.",
      [
        "Put the note from the parcel back inside and tick a reason if you like.",
        "Stick the return label over the old one.",
        "Hand it in at any parcel shop and keep the receipt.",
      ],
      "Lost the label? Sign in, open the order and print a new one.",
    ],
  },
  {
    slug: "when-is-my-refund-coming",
    topic: "Returns",
    title: "When does my refund arrive?",
    summary: "Five working days after the return is here, by the way you paid.",
    body: [
      "A return needs two to three days to reach us, and we check it within two more. Then we send the refund by the way you paid.",
      "To a card it takes two to five working days, depending on the bank; by bank transfer one or two. For a gift card you get a new code by e-mail at once.",
      "The costs of standard delivery are refunded when the whole order comes back.",
    ],
  },
  {
    slug: "exchange-for-another-size",
    topic: "Returns",
    title: "Exchange for another size or colour",
    summary: "Order the other one now and return the first: we do not charge delivery twice.",
    body: [
      "The quickest exchange is a new order, since the size you want may be gone by the time a return is here.",
      "Write “exchange” and the new order’s number on the return note. We then refund the delivery costs of the second order together with the first article.",
    ],
  },
  {
    slug: "ways-to-pay",
    topic: "Payments",
    title: "Ways to pay",
    summary: "Cards, bank transfer, invoice and gift cards, and when each is charged.",
    body: [
      "Cards are charged when the parcel leaves the warehouse, not before. Orders by bank transfer wait up to seven days for the money.",
      "Payment by invoice is open to customers whose third order has been paid. The invoice is due 14 days after the parcel was sent.",
      "Several gift cards can be used for one order, together with any other way to pay.",
    ],
  },
  {
    slug: "a-payment-failed",
    topic: "Payments",
    title: "A payment failed",
    summary: "Most often the bank wants a confirmation. Nothing has been charged.",
    body: [
      "When a payment fails nothing is charged; a reserved amount is released by the bank within a few days. Your basket stays as it is.",
      [
        "Open your bank’s app: a confirmation may be waiting there.",
        "Check the card’s number and its date.",
        "Try another way to pay. We keep the articles for you for an hour.",
      ],
    ],
  },
  {
    slug: "get-an-invoice",
    topic: "Payments",
    title: "Get an invoice",
    summary: "Every order has its invoice as a PDF, also with a company’s name on it.",
    body: [
      "Sign in, open the order and choose “Invoice”. It is there as soon as the parcel has left.",
      "For an invoice with a company’s name and tax number, enter both under “Billing address” before you order. A change afterwards takes us one working day; write to us with the order number.",
    ],
  },
];

/** Returns the article with this `slug`, which is the last part of its path. */
export function articleOf(slug: string): Article | undefined {
  return articles.find((article) => article.slug === slug);
}
