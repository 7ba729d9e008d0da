import Database

extension Migration {
    /// The order in which users have said which threads they follow.
    static let threadSubscriptionOrder = Migration(
        number: 24, name: "thread subscriptions in order",
        sql: """
            CREATE INDEX thread_subscriptions_by_position ON thread_subscriptions (user_num, position);
            """)
}
