//! Layers: around every handler, those of a group, or those with a name.

use tower_layer::Layer;
use tower_service::Service;

use super::App;
use crate::config::{Config, closest};
use crate::delivery::Delivery;
use crate::error::{BoxError, Error, ErrorKind};
use crate::middleware::{Around, HandlerService};
use crate::outcome::Outcome;

impl App {
    /// Puts a `tower::Layer` around every handler. The first layer is the outermost; the handler's timeout and the catching of
    /// its panics are inside of all of them, so that waiting in a layer is not billed to the handler.
    ///
    /// [`middleware`](crate::middleware) has layers of one function and ready-made ones, and tells what layers of `tower` do here.
    pub fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<HandlerService> + Send + Sync + 'static,
        L::Service: Service<Delivery, Response = Outcome> + Send + 'static,
        <L::Service as Service<Delivery>>::Error: Into<BoxError>,
        <L::Service as Service<Delivery>>::Future: Send + 'static,
    {
        self.layer_around(Around::All, layer)
    }

    /// Puts a layer around the handlers of a group: of a crate or a controller, or what the option `group` says. Inside of the
    /// layers that were added before it, and outside of those that come after it.
    ///
    /// ```
    /// use bus_runtime::middleware;
    ///
    /// let app = bus_runtime::app()
    ///     .layer(middleware::logging())
    ///     .layer_for("wiki", middleware::validation(|delivery| {
    ///         if delivery.metadata().body_len() == 0 { Err("an empty body") } else { Ok(()) }
    ///     }));
    /// ```
    ///
    /// # Errors
    /// (at start) [`UnknownHandler`](ErrorKind::UnknownHandler) for a group without handlers.
    pub fn layer_for<L>(self, group: impl Into<String>, layer: L) -> Self
    where
        L: Layer<HandlerService> + Send + Sync + 'static,
        L::Service: Service<Delivery, Response = Outcome> + Send + 'static,
        <L::Service as Service<Delivery>>::Error: Into<BoxError>,
        <L::Service as Service<Delivery>>::Future: Send + 'static,
    {
        self.layer_around(Around::Group(group.into()), layer)
    }

    /// Puts a layer around the handlers whose name matches a glob, as `--handlers` does: `billing::send`, `wiki::*`. It stands
    /// among the other layers as that of [`layer_for`](Self::layer_for).
    ///
    /// # Errors
    /// (at start) [`UnknownHandler`](ErrorKind::UnknownHandler) for a glob that matches none.
    pub fn layer_on<L>(self, handlers: impl Into<String>, layer: L) -> Self
    where
        L: Layer<HandlerService> + Send + Sync + 'static,
        L::Service: Service<Delivery, Response = Outcome> + Send + 'static,
        <L::Service as Service<Delivery>>::Error: Into<BoxError>,
        <L::Service as Service<Delivery>>::Future: Send + 'static,
    {
        self.layer_around(Around::Named(handlers.into()), layer)
    }

    fn layer_around<L>(mut self, around: Around, layer: L) -> Self
    where
        L: Layer<HandlerService> + Send + Sync + 'static,
        L::Service: Service<Delivery, Response = Outcome> + Send + 'static,
        <L::Service as Service<Delivery>>::Error: Into<BoxError>,
        <L::Service as Service<Delivery>>::Future: Send + 'static,
    {
        self.layers.push(around, layer);
        self
    }

    /// A layer that is around nothing was meant for something else. All handlers count, whatever `--handlers` says.
    pub(super) fn check_layers(&self, config: &Config) -> Result<(), Error> {
        if !self.layers.are_for_some() {
            return Ok(());
        }
        let all = Config { handlers: Vec::new(), exclude: Vec::new(), ..config.clone() };
        let plan = self.plan_with(&all).map_err(super::first)?;
        let (what, wanted, known): (_, _, Vec<&str>) = match self.layers.of_nobody(&plan.handlers) {
            None | Some(Around::All) => return Ok(()),
            Some(Around::Group(group)) => {
                let groups = plan.handlers.iter().map(|entry| entry.group.as_str());
                ("layer_for", group, groups.collect())
            }
            Some(Around::Named(glob)) => {
                ("layer_on", glob, plan.handlers.iter().map(|entry| entry.name.as_str()).collect())
            }
        };
        let meant = closest(wanted, known);
        let meant = meant.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
        let text = format!("{what}(\"{wanted}\") is for none of {} handlers{meant}", plan.handlers.len());
        Err(Error::new(ErrorKind::UnknownHandler, text)
            .with_help("`handlers -o json` lists them with their groups"))
    }
}
