//! stub
use crate::Error;
/// stub
#[derive(Clone, Debug)]
pub struct BrokerUrl {}
impl BrokerUrl {
    /// stub
    pub fn parse(_: &str) -> Result<Self, Error> {
        Ok(Self {})
    }
    /// stub
    pub fn exchange(&self) -> Option<&str> {
        None
    }
    /// stub
    pub fn is_embedded(&self) -> bool {
        true
    }
}
