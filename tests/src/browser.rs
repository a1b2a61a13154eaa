//! A headless Chromium, driven over the WebDriver protocol of the W3C: <https://www.w3.org/TR/webdriver2/>.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::request;

const DRIVER: &str = "/usr/bin/chromedriver";
/// How long a test waits for what must happen on a page.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A browser with one window. It ends when this is dropped.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    at: SocketAddr,
    session: String,
}

impl Browser {
    /// Starts one; `None` when there is none to start and none is required.
    ///
    /// # Panics
    /// When one must be there and does not start.
    pub async fn start() -> Option<Self> {
        if !std::path::Path::new(DRIVER).exists() {
            assert!(
                std::env::var_os("BUS_TEST_REQUIRE_BROWSER").is_none(),
                "{DRIVER} is missing: apt-get install chromium chromium-driver"
            );
            return None;
        }
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it").port();
        let mut command = Command::new(DRIVER);
        command.arg(format!("--port={port}")).stdout(Stdio::null()).stderr(Stdio::null());
        let driver = command.spawn().expect("it starts");
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        let mut browser = Self { driver, at, session: String::new() };
        browser.until_up().await;
        let options = json!({ "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb"] });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } } } });
        let answer = browser.post("", &wanted).await;
        answer["sessionId"].as_str().expect("a session").clone_into(&mut browser.session);
        Some(browser)
    }

    async fn until_up(&self) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while tokio::net::TcpStream::connect(self.at).await.is_err() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        });
        assert!(waited.await.is_ok(), "the driver does not listen");
    }

    async fn call(&self, method: &str, path: &str, body: &str) -> Value {
        let path = match self.session.as_str() {
            "" => "/session".to_owned(),
            session => format!("/session/{session}{path}"),
        };
        let answer = request(self.at, method, &path, &[("Content-Type", "application/json")], body).await;
        let value = answer.json()["value"].clone();
        assert_eq!(answer.status, 200, "{method} {path}: {value}");
        value
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", path, &body.to_string()).await
    }

    /// Opens a page, and waits until it is there.
    pub async fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url })).await;
    }

    /// The size of the page, without the frame of the window.
    pub async fn resize(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        let command = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": metrics });
        self.post("/goog/cdp/execute", &command).await;
    }

    /// Runs a script in the page, and returns what it returns.
    pub async fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// As [`run`](Self::run), of a script that calls `arguments[0]` with what it returns.
    pub async fn run_async(&self, script: &str) -> Value {
        self.post("/execute/async", &json!({ "script": script, "args": [] })).await
    }

    /// Clicks on the first element that a selector of CSS finds.
    pub async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        self.post(&format!("/element/{element}/click"), &json!({})).await;
    }

    /// Types into the first element that a selector of CSS finds, in place of what is there.
    pub async fn write(&self, selector: &str, text: &str) {
        let element = self.find(selector).await;
        self.post(&format!("/element/{element}/clear"), &json!({})).await;
        self.post(&format!("/element/{element}/value"), &json!({ "text": text })).await;
    }

    async fn find(&self, selector: &str) -> String {
        let found = self.post("/element", &json!({ "using": "css selector", "value": selector })).await;
        let id = found.as_object().and_then(|element| element.values().next()).and_then(Value::as_str);
        id.expect("an element").to_owned()
    }

    /// What the page says.
    pub async fn text(&self) -> String {
        self.run("return document.body.innerText").await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page says something.
    ///
    /// # Panics
    /// When it does not.
    pub async fn until_says(&self, wanted: &str) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !self.text().await.contains(wanted) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        });
        if waited.await.is_err() {
            panic!("the page does not say `{wanted}`: {}", self.text().await);
        }
    }

    /// What the browser complained about since it was last asked.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" })).await;
        let entries = log.as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// A picture of the whole page, as PNG in base64.
    pub async fn picture(&self) -> String {
        let command = json!({ "cmd": "Page.captureScreenshot", "params": { "captureBeyondViewport": true } });
        let shot = self.post("/goog/cdp/execute", &command).await;
        shot["data"].as_str().unwrap_or_default().to_owned()
    }

    /// Ends it.
    pub async fn close(self) {
        self.call("DELETE", "", "").await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends its browsers with it; that it may have ended is fine.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
