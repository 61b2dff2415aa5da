//! The FIDO2 side of the key in a reader.

use super::PcscReaders;
use super::card::usb;
use crate::attestation::Serial;
use crate::device::fido2::port::{self, PivSide, UsbDevice};
use crate::device::fido2::{Authenticator, Fido2Error, HelperAuthenticator};
use crate::device::{DeviceError, Readers};

impl PcscReaders {
    /// Finds the device that belongs to that key, and whether this user may open it. Asks the device nothing.
    pub(super) fn fido2_side(&mut self, serial: Serial) -> Result<Box<dyn Authenticator>, Fido2Error> {
        let (sysfs, helper) = self.fido2.clone();
        let devices = port::devices(&sysfs);
        if devices.is_empty() {
            return Err(Fido2Error::NoDevice);
        }
        let unknown = |error: DeviceError| match error {
            DeviceError::NoKey | DeviceError::Absent(_) => Fido2Error::Absent(serial),
            error => Fido2Error::Service(format!("the PIV side of key {serial}: {error}")),
        };
        let usb = self.usb(serial).map_err(unknown)?;
        // How many keys there are only matters where nothing ties them; asking takes a connection to each.
        let keys = if usb.is_some() { 1 } else { self.attached().map_err(unknown)?.len() };
        let device = port::choose(&devices, PivSide { serial, usb, keys })?;
        if !port::may_open(&device.path) {
            return Err(Fido2Error::AccessDenied { path: device.path.display().to_string() });
        }
        Ok(Box::new(HelperAuthenticator::new(serial, device.path.clone(), helper)))
    }

    /// Through the connection to that key, if there is one; else through a new one, which ends again.
    fn usb(&mut self, serial: Serial) -> Result<Option<UsbDevice>, DeviceError> {
        let held = self.held.iter().filter(|held| held.serial == serial);
        match held.filter_map(|held| held.orders.upgrade()).next() {
            Some(orders) => Ok(usb(&orders, &self.way)),
            None => Ok(self.find(serial)?.channel.card.usb()),
        }
    }
}
