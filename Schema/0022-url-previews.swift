import Database

extension Migration {
    /// Previews of web pages, and their pictures.
    static let urlPreviews = Migration(
        number: 22, name: "url previews",
        sql: """
            -- preview: what is told of the page, a JSON object. expires_ts: when the page is to be asked again.
            CREATE TABLE url_previews (
                url TEXT NOT NULL,
                fetched_ts INTEGER NOT NULL,
                expires_ts INTEGER NOT NULL,
                preview TEXT NOT NULL,
                PRIMARY KEY (url, fetched_ts)
            ) WITHOUT ROWID;
            CREATE INDEX url_previews_by_time ON url_previews (fetched_ts);
            -- Files that were fetched for previews. url: where from. width and height are null until the file has been looked at.
            -- good_until_ts: when it is to be fetched again; expires_ts: when it goes.
            CREATE TABLE preview_images (
                media_num INTEGER NOT NULL PRIMARY KEY REFERENCES media (num) ON DELETE CASCADE,
                url TEXT NOT NULL,
                width INTEGER,
                height INTEGER,
                good_until_ts INTEGER NOT NULL,
                expires_ts INTEGER NOT NULL
            );
            CREATE INDEX preview_images_by_url ON preview_images (url);
            CREATE INDEX preview_images_by_expiry ON preview_images (expires_ts);
            """)
}
